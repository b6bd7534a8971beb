{-# LANGUAGE CPP #-}
{-# LANGUAGE ForeignFunctionInterface #-}
{-# LANGUAGE TemplateHaskell #-}

module Metal (report) where

import System.Info (arch)

import Metal.Cast
import Metal.Ore

addDoubled

-- | What was compiled in, and for which platform.
report :: IO [String]
report = do
  metal <- yield 60 200
  pure
    [ name ++ " melts at " ++ show melts ++ " and yields " ++ show metal
    , "twice 21 is " ++ show (doubled 21)
    , unwords ["arch:", arch, preprocessed, $castOn]
    ]

preprocessed :: String
#if defined(x86_64_HOST_ARCH)
preprocessed = "x86_64"
#elif defined(aarch64_HOST_ARCH)
preprocessed = "aarch64"
#else
preprocessed = "another"
#endif
