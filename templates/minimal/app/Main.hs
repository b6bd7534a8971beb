{% if executable %}
module Main (main) where

import {= module =} (greeting)
import System.Environment (getArgs)

main :: IO ()
main = do
  names <- getArgs
  putStrLn (greeting (unwords names))
{% endif %}
