module Main (main) where

import Metal (report)

main :: IO ()
main = report >>= mapM_ putStrLn
