{-# LANGUAGE CPP #-}

module Nest (statModeOffset, charIsSigned, elfMachine) where

-- | What @configure@ found out by running a C program.
statModeOffset :: Int
statModeOffset = ST_MODE_AT

charIsSigned :: Bool
charIsSigned = CHAR_IS_SIGNED == (1 :: Int)

-- | What @uname -m@ said to @configure@, as the number that ELF has for it.
elfMachine :: Int
elfMachine = UNAME_MACHINE
