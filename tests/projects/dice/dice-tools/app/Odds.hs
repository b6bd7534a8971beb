module Main (main) where

import Control.Monad (forM_)
import qualified Data.Map.Strict as Map
import Dice (Term (..))
import Dice.Cli (run)

main :: IO ()
main = run "0.3.1" "Shows how likely every result is" $ \_ _ wanted ->
  forM_ wanted $ \(text, terms) -> do
    let ways = distribution terms
    putStrLn (text ++ ": " ++ show (sum ways) ++ " ways")
    forM_ (Map.toList ways) $ \(result, count) -> putStrLn (show result ++ "\t" ++ show count)

-- | In how many ways every total comes about.
distribution :: [Term] -> Map.Map Int Integer
distribution = foldr combine (Map.singleton 0 1) . concatMap faces
  where
    faces (Constant n) = [[n]]
    faces (Dice count sides) = replicate count [1 .. sides]
    combine die ways = Map.fromListWith (+) [(sofar + n, count) | (sofar, count) <- Map.toList ways, n <- die]
