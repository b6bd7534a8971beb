-- | Dice notation such as @2d6+1@: what it means and how it is rolled.
module Dice
  ( Term (..)
  , parse
  , roll
  , total
  , generator
  ) where

import Data.List (mapAccumL)
import Data.List.Split (splitOn)
import Data.Word (Word64)
import Foreign.C.String (CString)
import Foreign.C.Types (CSize (..))
import GHC.Foreign (withCStringLen)
import GHC.IO.Encoding (getFileSystemEncoding)
import System.IO.Unsafe (unsafePerformIO)
import System.Random (uniformR)
import System.Random.SplitMix (SMGen, mkSMGen)
import Text.Read (readMaybe)

-- | One summand: some dice with a number of sides, or a constant.
data Term
  = Dice Int Int
  | Constant Int
  deriving (Eq, Show)

-- | Reads terms joined by @+@.
parse :: String -> Maybe [Term]
parse = mapM term . splitOn "+"
  where
    term text = case splitOn "d" text of
      [constant] -> Constant <$> positive constant
      ["", sides] -> Dice 1 <$> positive sides
      [count, sides] -> Dice <$> positive count <*> positive sides
      _ -> Nothing
    positive text = case readMaybe text of
      Just n | n > 0 -> Just n
      _ -> Nothing

-- | What every term showed.
roll :: SMGen -> [Term] -> (SMGen, [[Int]])
roll = mapAccumL rollTerm
  where
    rollTerm gen (Constant n) = (gen, [n])
    rollTerm gen (Dice count sides) = mapAccumL (rollDie sides) gen [1 .. count]
    rollDie sides gen _ = let (n, gen') = uniformR (1, sides) gen in (gen', n)

total :: [[Int]] -> Int
total = sum . map sum

-- | A generator for a seed: the same text always gives the same rolls.
generator :: String -> SMGen
generator seed = mkSMGen . unsafePerformIO $ do
  encoding <- getFileSystemEncoding -- gives back the bytes of the command line, whatever the locale
  withCStringLen encoding seed $ \(bytes, len) -> pure $! fnv1a bytes (fromIntegral len)

foreign import ccall unsafe "dice_fnv1a" fnv1a :: CString -> CSize -> Word64
