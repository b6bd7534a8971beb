module Main (main) where

import Control.Monad (unless)
import System.Exit (exitFailure)

import Menagerie.Instances (instancesAreLawful)
import Menagerie.Numbers (numbersAgree)

main :: IO ()
main = unless (instancesAreLawful && numbersAgree) exitFailure
