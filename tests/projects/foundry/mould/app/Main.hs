module Main (main) where

import qualified Pressed
import System.Info (arch)

main :: IO ()
main = putStrLn (unwords ["arch:", arch, Pressed.arch])
