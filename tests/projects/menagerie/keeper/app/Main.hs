module Main (main) where

import System.Environment (getArgs)
import System.Info (arch)

-- | A preprocessor as GHC's @-pgmF@ calls it: the source's name, the input and the output.
main :: IO ()
main = do
  [name, input, output] <- getArgs
  source <- readFile input
  writeFile output ("{-# LINE 1 " ++ show name ++ " #-}\n" ++ concatMap replace (lines source))
 where
  replace "-- KEEPER" = "kept :: String\nkept = " ++ show arch ++ "\n"
  replace line = line ++ "\n"
