{-# LANGUAGE CApiFFI #-}
{-# LANGUAGE ForeignFunctionInterface #-}
{-# LANGUAGE GHCForeignImportPrim #-}
{-# LANGUAGE MagicHash #-}
{-# LANGUAGE UnliftedFFITypes #-}

-- | C, C++, Cmm and assembly; sizes and constants by hsc2hs.
module Menagerie.Foreign (foreignLines, foreignTarget) where

import Data.Int
import Data.Word
import Foreign.C.String (CString, withCString, withCStringLen)
import Foreign.C.Types (CChar (..), CDouble (..), CFloat (..), CInt (..), CUInt (..), CULong (..))
import Foreign.Marshal.Alloc (allocaBytesAligned)
import Foreign.Marshal.Utils (fillBytes)
import Foreign.Ptr (FunPtr, Ptr, freeHaskellFunPtr, nullPtr, plusPtr)
import Foreign.Storable (Storable (..))
import GHC.Exts (Int (I##), Int##)

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <wchar.h>
#include "creatures.h"

#let twice n = "%d + %d", (int)(n), (int)(n)

data Creature = Creature {kind :: CChar, legs :: Int16, mass :: Float, born :: Int64, next :: Ptr Creature}

instance Storable Creature where
  sizeOf _ = #{size struct creature}
  alignment _ = #{alignment struct creature}
  peek p =
    Creature
      <$> #{peek struct creature, kind} p
      <*> #{peek struct creature, legs} p
      <*> #{peek struct creature, mass} p
      <*> #{peek struct creature, born} p
      <*> #{peek struct creature, next} p
  poke p creature = do
    fillBytes p 0 (sizeOf creature)
    #{poke struct creature, kind} p (kind creature)
    #{poke struct creature, legs} p (legs creature)
    #{poke struct creature, mass} p (mass creature)
    #{poke struct creature, born} p (born creature)
    #{poke struct creature, next} p (next creature)

newtype Kind = Kind #{type enum creature_kind} deriving Show

#{enum Kind, Kind, BIRD, FISH, snail = SNAIL}

foreign import ccall "wrapper" visitor :: (Ptr Creature -> IO Int64) -> IO (FunPtr (Ptr Creature -> IO Int64))
foreign import ccall safe creature_visit :: Ptr Creature -> FunPtr (Ptr Creature -> IO Int64) -> IO Int64
foreign import ccall unsafe creature_mix
  :: Int8 -> Word8 -> Int16 -> Word16 -> CFloat -> CDouble -> Int64 -> Int32 -> Word64 -> CFloat -> CDouble -> Int8
  -> CDouble -> CFloat -> CDouble -> CDouble -> Int32 -> CDouble -> CDouble
foreign import ccall creature_call_back :: Int64 -> IO Int64
foreign export ccall menagerie_next :: Int64 -> IO Int64
foreign import capi "creatures.h creature_area" area :: CInt -> CInt -> CInt
foreign import capi "creatures.h value CREATURE_LEGS" legsOfMost :: CInt
foreign import capi "fcntl.h value O_DIRECTORY" directoryFlag :: CInt
foreign import ccall count_letters :: CString -> CChar -> IO CInt
foreign import ccall elf_machine :: IO CUInt
foreign import ccall "zlib.h crc32" crc32 :: CULong -> CString -> CUInt -> IO CULong
foreign import prim "twicezh" twice## :: Int## -> Int##

menagerie_next :: Int64 -> IO Int64
menagerie_next n = pure (n + 1)

foreignLines :: IO [String]
foreignLines = do
  visited <- allocaBytesAligned (2 * size) 16 $ \first -> do
    let second = first `plusPtr` size
    poke first (Creature 1 4 1.5 (-7) second)
    poke second (Creature 127 8 2.25 maxBound nullPtr)
    visit <- visitor (\p -> (\c -> fromIntegral (legs c) + truncate (mass c) + born c `rem` 1000) <$> peek p)
    creature_visit first visit <* freeHaskellFunPtr visit
  again <- creature_call_back 20
  letters <- withCString "mississippi" (\text -> mapM (count_letters text) [115, 112, 120])
  crc <- withCStringLen "123456789" (\(text, bytes) -> crc32 0 text (fromIntegral bytes))
  pure
    [ show [size, #{offset struct creature, name}, #{offset struct creature, weight}, #{alignment long double}]
    , show (#{const CREATURE_LEGS} :: Int, #{const_str CREATURE_NAME}, #{const CREATURE_BIG} :: Word64, #{twice 21} :: Int)
    , show [bird, fish, snail]
    , show (visited, again, letters, crc, area 6 7, legsOfMost)
    , show (creature_mix (-128) 255 (-32768) 65535 1.5 2.5 (-9) 10 maxBound 11 12 (-13) 14 15 16 17 (-18) 19)
    , show (I## (twice## 21##))
    ]
 where
  size = sizeOf (undefined :: Creature)

foreignTarget :: IO [String]
foreignTarget = do
  machine <- elf_machine
  pure
    [ "assembly: " ++ show machine
    , "struct stat: " ++ show [#{size struct stat}, #{offset struct stat, st_mode} :: Int]
    , "O_DIRECTORY: " ++ show [#{const O_DIRECTORY}, directoryFlag]
    , "SYS_openat: " ++ show (#{const SYS_openat} :: Int)
    , "char, wchar_t: " ++ show (minBound :: #{type char}, minBound :: #{type wchar_t})
    ]
