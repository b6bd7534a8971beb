{-# LANGUAGE ForeignFunctionInterface #-}
{-# LANGUAGE MagicHash #-}
{-# LANGUAGE TemplateHaskell #-}

module Menagerie.Spliced (spliced, splicedTarget) where

import Data.Word (Word8)
import Foreign.Storable (peekByteOff)
import GHC.Exts (Ptr (..))

import Menagerie.Splices

data Cage = Empty | Shared {inhabitants :: [String], area :: Double} | Single String
  deriving (Eq, Show)

addTripled

spliced :: IO [String]
spliced = do
  bytes <- mapM (peekByteOff (Ptr $(blob 600000))) [0, 1, 250, 251, 599999]
  pure
    [ show ($(embed "data/motto.txt") :: String)
    , show ($(shape ''Cage [''Eq, ''Show, ''Ord]) :: ([(String, Int)], [(String, Bool)]))
    , show [Empty, Shared ["gnu"] 2, Single "emu"]
    , show ($$(power 20) 3, tripled 14, $(ordered [(3, "c"), (1, "a"), (2, "b")]) :: [(Int, String)])
    , show (bytes :: [Word8])
    ]

splicedTarget :: [String]
splicedTarget = ["Template Haskell: " ++ $compileArch, "uname in Template Haskell: " ++ $machine]
