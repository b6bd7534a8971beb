module Main (main) where

import Control.Monad (unless)
import System.Exit (die)

import {= module =} (greeting)

main :: IO ()
main = do
  expect "Hello, Ada!" (greeting "Ada")
  expect "Hello, world!" (greeting "")

expect :: String -> String -> IO ()
expect wanted actual =
  unless (actual == wanted) (die ("expected " <> show wanted <> ", got " <> show actual))
