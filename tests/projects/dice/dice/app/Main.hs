{-# LANGUAGE TemplateHaskell #-}

module Main (main) where

import Control.Monad (foldM_)
import Data.Version (showVersion)
import Dice (roll, total)
import Dice.Cli (Options (..), run)
import Dice.Commit (commit)
import Paths_dice (version)

main :: IO ()
main = run (showVersion version ++ " (" ++ $(commit) ++ ")") "Rolls dice" $ \options gen wanted ->
  foldM_ rollOne gen (concat (replicate (times options) wanted))
  where
    rollOne gen (text, terms) = do
      let (gen', shown) = roll gen terms
      putStrLn (text ++ ": " ++ unwords (map show (concat shown)) ++ " = " ++ show (total shown))
      pure gen'
