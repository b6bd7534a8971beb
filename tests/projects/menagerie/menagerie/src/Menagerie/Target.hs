{-# LANGUAGE CPP #-}

-- | What the C preprocessor and the libraries say of the target.
module Menagerie.Target (target, agnostic) where

import Data.Array (listArray, (!), (//))
import Data.List (foldl')
import Foreign.C.Types (CChar, CLong)
import Foreign.Storable (sizeOf)
import System.Info (arch, compilerName, os)

#include "MachDeps.h"

#define PASTE(a, b) a/**/b
#define QUOTE(x) "x"

target :: [String]
target =
  [ "System.Info: " ++ arch
#if defined(aarch64_HOST_ARCH)
  , "HOST_ARCH: aarch64"
#elif defined(x86_64_HOST_ARCH)
  , "HOST_ARCH: x86_64"
#endif
  , "CChar: " ++ show [minBound, maxBound :: CChar]
  ]

-- | What is alike on all 64-bit, little-endian machines.
agnostic :: [String]
agnostic =
  [ os, compilerName
  , show [SIZEOF_HSWORD, WORD_SIZE_IN_BITS, ALIGNMENT_HSDOUBLE, sizeOf (0 :: CLong)]
#ifdef WORDS_BIGENDIAN
  , "big-endian"
#else
  , "little-endian"
#endif
#if MIN_VERSION_base(4,18,0) && defined(linux_HOST_OS) && !defined(mingw32_HOST_OS)
  , "conditions"
#endif
  -- Not C: primes, `//`, and in traditional style pasting by comments and arguments in strings.
  , show (foldl' (+) 0 (listArray (0 :: Int, 2) [1, 2, 3 :: Int] // [(1, 5)]), listArray (0 :: Int, 0) "/*" ! 0)
  , PASTE(pas,ted), QUOTE(quoted)
  ]
 where
  pasted = "it's pasted"
