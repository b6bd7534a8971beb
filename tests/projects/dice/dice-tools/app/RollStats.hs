module Main (main) where

import Control.Monad (forM_)
import qualified Data.Map.Strict as Map
import Dice (roll, total)
import Dice.Cli (Options (..), run)

main :: IO ()
main = run "0.3.1" "Counts the results of many rolls" $ \options gen wanted ->
  forM_ wanted $ \(text, terms) -> do
    let results = map total (take (times options) (rolls terms gen))
        counts = Map.fromListWith (+) [(result, 1 :: Int) | result <- results]
    putStrLn (text ++ ": " ++ show (length results) ++ " rolls")
    forM_ (Map.toList counts) $ \(result, count) -> putStrLn (show result ++ "\t" ++ show count)
  where
    rolls terms gen = let (gen', shown) = roll gen terms in shown : rolls terms gen'
