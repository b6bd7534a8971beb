-- | A C structure and the C code that knows it; sizes, offsets and a text by hsc2hs, which runs a program for the text.
module Metal.Ore (name, melts, yield) where

import Foreign.C.Types (CChar, CLong (..))
import Foreign.Marshal.Alloc (allocaBytesAligned)
import Foreign.Ptr (Ptr)
import Foreign.Storable (pokeByteOff)

#include "ore.h"

data Ore

foreign import ccall unsafe ore_yield :: Ptr Ore -> IO CLong

name :: String
name = #{const_str ORE_NAME}

melts :: Int
melts = #{const ORE_MELTS}

yield :: CChar -> CLong -> IO CLong
yield grade mass = allocaBytesAligned #{size struct ore} #{alignment struct ore} $ \ore -> do
  #{poke struct ore, grade} ore grade
  #{poke struct ore, mass} ore mass
  ore_yield ore
