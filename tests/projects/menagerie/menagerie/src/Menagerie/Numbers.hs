{-# LANGUAGE MagicHash #-}
{-# LANGUAGE ScopedTypeVariables #-}
{-# LANGUAGE UnboxedTuples #-}

-- | Arithmetic, literals that fit no immediate operand, and primitives that each back end does in its own way.
module Menagerie.Numbers (numbers, numbersAgree, fnv1a) where

import Control.Concurrent (forkIO, newEmptyMVar, putMVar, takeMVar)
import Control.Exception (ArithException, evaluate, try)
import Control.Monad (forM, forM_)
import Data.Bits
import Data.Char (ord)
import Data.IORef (atomicModifyIORef', newIORef, readIORef)
import Data.Int (Int16, Int32, Int64, Int8)
import qualified Data.List as List
import Data.Word (Word16, Word32, Word64, Word8, byteSwap16, byteSwap32, byteSwap64)
import GHC.Exts
import GHC.IO (IO (..))
import GHC.Float (castDoubleToWord64, castFloatToWord32, castWord64ToDouble, double2Float, float2Double)

-- | Additions that fit 12 bits, shifted 12 bits, and neither; bit patterns that repeat and that do not.
literals :: Word64 -> [Word64]
literals x =
  [ x + 1, x + 4095, x + 4096, x + 0xfff000, x + 0x1000000, x - 1, x - 4097, x + 0x7fffffff, x + 0x80000000
  , x + 0x1234567890abcdef, x .&. 0xff00ff00ff00ff00, x .&. 0xfffffffffffffffe, x .|. 0x8000000000000001
  , x `xor` 0x123456789abcdef0, x `xor` 0x5555555555555555, x * 10, x * 0x100000001b3, x `quot` 10, x `rem` 1000
  , x `unsafeShiftL` 13, x `unsafeShiftR` 51, x `rotateL` 7, complement x, 0xffffffffffffffff - x, negate x
  ]
{-# NOINLINE literals #-}

integers :: [Integer]
integers =
  [ 1606938044258990275541962092341162602522202993782792835301376
  , -170141183460469231731687303715884105728
  , product [1 .. 50]
  , 2 ^ (64 :: Int) - 1
  , (3 ^ (200 :: Int)) `mod` (10 ^ (30 :: Int) + 57)
  , gcd (2 ^ (90 :: Int) * 3) (6 ^ (40 :: Int))
  , shiftR (-(2 ^ (100 :: Int)) - 1) 37
  , fromIntegral (minBound :: Int) - fromIntegral (maxBound :: Word)
  ]

-- | What wraps, shifts and truncates at the bounds of a type.
bounds :: forall a. (Bounded a, FiniteBits a, Integral a, Show a) => a -> String
bounds x = show (finiteBitSize x, List.map operations [minBound, minBound + 1, 0, x, maxBound - 1, maxBound])
 where
  operations :: a -> [a]
  operations y =
    [ y + 1, y - 1, y * y, y + x, y `quot` x, y `rem` x, y `div` x, y `mod` x, negate y, complement y, y `xor` x
    , y `shiftL` 3, y `shiftR` 3, y `rotateR` 5, fromIntegral (popCount y), fromIntegral (countLeadingZeros y)
    , fromIntegral (countTrailingZeros y), setBit y 2, clearBit y 0, fromIntegral (fromIntegral y * 3 :: Int)
    ]
{-# INLINE bounds #-}

floats :: Double -> Float -> [String]
floats one oneF =
  [ show (List.map castDoubleToWord64 doubles)
  , show (List.map castFloatToWord32 singles)
  , show doubles
  , show singles
  , show (List.map decodeFloat (List.filter finite doubles))
  , show [(truncate d, round d, ceiling d, floor d) :: (Int, Int, Int, Int) | d <- [2.5, -2.5, 3.5, 1e15, -0.5]]
  , show [fromIntegral i :: Double | i <- [maxBound, minBound, 9007199254740993 :: Int64]]
  , show [fromIntegral i :: Float | i <- [maxBound, 16777217 :: Int64]]
  , show [fromIntegral w :: Double | w <- [maxBound :: Word64]]
  , show [compare one nan, compare nan nan], show [nan == nan, nan /= nan, nan < one, one < nan, nan >= nan]
  , show (isNegativeZero (negate (one - one)), isDenormalized (5.0e-324 * one), isInfinite (one / 0), max (-0.0) (0.0 * one))
  , show (scaleFloat (-1074) one, significand (10 * one), exponent (10 * one), castWord64ToDouble 0x3ff0000000000001)
  ]
 where
  doubles = [one / 3, 0.1 * one + 0.2, sqrt (2 * one), -0.0 * one, 5.0e-324 * one, 1.7976931348623157e308 * one, one / 0, 1.0e23 * one, float2Double (oneF / 3)]
  singles = [oneF / 3, 0.1 * oneF + 0.2, sqrt (2 * oneF), 1.0e-45 * oneF, 3.4028235e38 * oneF, double2Float (one / 3)]
  finite d = not (isInfinite d)
  nan = 0 * one / (one - one)
{-# NOINLINE floats #-}

primitives :: Int -> Word -> [String]
primitives (I# i) (W# w) =
  [ case timesInt2# i i of (# c, h, l #) -> show (I# c, I# h, I# l)
  , case addIntC# i i of (# r, c #) -> show (I# r, I# c)
  , case subIntC# (negateInt# i) i of (# r, c #) -> show (I# r, I# c)
  , show (isTrue# (mulIntMayOflo# i i /=# 0#))
  , case timesWord2# w w of (# h, l #) -> show (W# h, W# l)
  , case quotRemWord2# 5## 7## w of (# q, r #) -> show (W# q, W# r)
  , case addWordC# w w of (# r, c #) -> show (W# r, I# c)
  , case subWordC# 1## w of (# r, c #) -> show (W# r, I# c)
  , case plusWord2# w w of (# h, l #) -> show (W# h, W# l)
  , show (W# (pdep# w 0xf0f0f0f0f0f0f0f0##), W# (pext# w 0xf0f0f0f0f0f0f0f0##), W# (bitReverse# w))
  , show (byteSwap16 (fromIntegral (W# w)), byteSwap32 (fromIntegral (W# w)), byteSwap64 (fromIntegral (W# w)))
  , case decodeDouble_2Int# (int2Double# i) of (# s, h, l, e #) -> show (I# s, W# h, W# l, I# e)
  ]
{-# NOINLINE primitives #-}

-- | More arguments than there are registers.
many :: Int -> Double -> Word8 -> Float -> Int -> Double -> Int -> Double -> Int -> Double -> Int -> Double -> Int -> Double -> Int -> Double
many a b c d e f g h i j k l m n o =
  fromIntegral (a + 2 * e + 3 * g + 4 * i + 5 * k + 6 * m + 7 * o) + b + fromIntegral c + float2Double d + 8 * f + 9 * h + 10 * j + 11 * l + 12 * n
{-# NOINLINE many #-}

-- | Large enough for a table of jumps.
jump :: Int -> String
jump n = case n of
  0 -> "aardvark"; 1 -> "bat"; 2 -> "civet"; 3 -> "dormouse"; 4 -> "elephant"; 5 -> "fossa"; 6 -> "gnu"; 7 -> "hare"
  8 -> "ibex"; 9 -> "jackal"; 10 -> "kudu"; 11 -> "lynx"; 12 -> "mole"; 13 -> "numbat"; 14 -> "otter"; 15 -> "panda"
  100 -> "quoll"; 1000000 -> "rat"; 0x7fffffffffffffff -> "seal"; -1 -> "tapir"
  _ -> "unknown"
{-# NOINLINE jump #-}

fnv1a :: String -> Word64
fnv1a = List.foldl' (\hash c -> (hash `xor` fromIntegral (ord c)) * 0x100000001b3) 0xcbf29ce484222325

-- | Threads that count together, by a reference and by an atomic addition in memory.
concurrent :: IO String
concurrent = do
  reference <- newIORef (0 :: Int)
  threads <- forM [1 .. 8 :: Int] $ \n -> do
    done <- newEmptyMVar
    _ <- forkIO (forM_ [1 .. 500 :: Int] (\_ -> atomicModifyIORef' reference (\x -> (x + n, ()))) >> putMVar done ())
    pure done
  mapM_ takeMVar threads
  total <- readIORef reference
  added <- IO $ \s -> case newByteArray# 16# s of
    (# s1, array #) -> case writeIntArray# array 1# 40# s1 of
      s2 -> case fetchAddIntArray# array 1# 2# s2 of
        (# s3, before #) -> case casIntArray# array 1# 42# -7# s3 of
          (# s4, seen #) -> case readIntArray# array 1# s4 of (# s5, after #) -> (# s5, [I# before, I# seen, I# after] #)
  pure (show (total, added))

exceptions :: IO String
exceptions = do
  results <- mapM (try . evaluate) [1 `div` List.length "", minBound `div` negate (List.length "1")]
  pure (show (results :: [Either ArithException Int]))

numbers :: IO [String]
numbers = do
  threads <- concurrent
  failures <- exceptions
  pure $
    [ show (literals 0xfedcba9876543210), show integers
    , bounds (7 :: Int8), bounds (-7 :: Int16), bounds (77 :: Int32), bounds (-777 :: Int64), bounds (7 :: Int)
    , bounds (7 :: Word8), bounds (13 :: Word16), bounds (77 :: Word32), bounds (777 :: Word64), bounds (7 :: Word)
    ]
      ++ floats 1 1
      ++ primitives 0x7edcba9876543210 0xfedcba9876543210
      ++ [show (many 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15), show (List.map jump [-1 .. 16]), jump maxBound]
      ++ [threads, failures]

-- | What two ways of computing it must agree on.
numbersAgree :: Bool
numbersAgree =
  and [toInteger x `mod` 1000 == toInteger (x `mod` 1000) | x <- literals 987654321]
    && and [shiftR x 5 == x `div` 32 | x <- [minBound, -1, 0, 12345678901 :: Int64]]
    && fnv1a "" == 14695981039346656037
    && fnv1a "a" == 0xaf63dc4c8601ec8c
    && castWord64ToDouble (castDoubleToWord64 pi) == pi
