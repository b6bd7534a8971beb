{-# OPTIONS_GHC -F -pgmF keeper #-}

-- | The keeper, a program of this project, replaces a line of this.
module Menagerie.Kept (kept) where

-- KEEPER
