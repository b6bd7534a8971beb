{% if executable %}
module Main (main) where

import System.Environment (getArgs)

import {= module =} (greeting)

main :: IO ()
main = do
  names <- getArgs
  putStrLn (greeting (unwords names))
{% endif %}
