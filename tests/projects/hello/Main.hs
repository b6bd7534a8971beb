module Main (main) where

import System.Environment (getArgs)
import System.Exit (ExitCode (..), exitWith)

-- | @hello@ greets, @hello --help@ explains, and @hello exit N@ ends with that exit code.
main :: IO ()
main = do
  arguments <- getArgs
  case arguments of
    [] -> putStrLn "Hello from a static executable"
    ["--help"] -> putStrLn "Usage: hello [exit N]"
    ["exit", "0"] -> pure ()
    ["exit", code] -> exitWith (ExitFailure (read code))
    _ -> exitWith (ExitFailure 2)
