module Main (main) where

import Control.Monad (unless)
import Metal (report)
import System.Exit (exitFailure)

main :: IO ()
main = do
  found <- report
  mapM_ putStrLn found
  unless (take 2 found == ["haematite melts at 1565 and yields 120", "twice 21 is 42"]) exitFailure
