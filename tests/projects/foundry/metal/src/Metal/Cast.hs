{-# LANGUAGE TemplateHaskell #-}

-- | What runs while the compiler does.
module Metal.Cast (castOn, addDoubled) where

import Data.Int (Int32)
import Language.Haskell.TH
import Language.Haskell.TH.Syntax
import System.Info (arch)

-- | What the interpreter is.
castOn :: Q Exp
castOn = runIO (pure arch) >>= lift

-- | C code, compiled and linked with the module that it is spliced into.
addDoubled :: Q [Dec]
addDoubled = do
  addForeignSource LangC "int metal_doubled(int n) { return 2 * n; }"
  doubles <- [t|Int32 -> Int32|]
  pure [ForeignD (ImportF CCall Unsafe "metal_doubled" (mkName "doubled") doubles)]
