module Main (main) where

import Menagerie (report)

main :: IO ()
main = report >>= mapM_ putStrLn
