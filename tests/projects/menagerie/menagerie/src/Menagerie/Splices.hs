{-# LANGUAGE TemplateHaskell #-}

-- | What splices do while the compiler runs: on the target, wherever the compiler itself is.
module Menagerie.Splices (compileArch, machine, blob, embed, shape, power, addTripled, ordered) where

import qualified Data.ByteString as Bytes
import qualified Data.ByteString.Internal as Bytes
import Data.Int (Int32)
import qualified Data.Map.Strict as Map
import Language.Haskell.TH
import Language.Haskell.TH.Syntax
import System.Info (arch)
import System.Process (readProcess)

-- | What the interpreter is.
compileArch :: Q Exp
compileArch = runIO (pure arch) >>= lift

-- | What the kernel tells a process that is started from a splice.
machine :: Q Exp
machine = runIO (readProcess "uname" ["-m"] "") >>= lift . takeWhile (/= '\n')

-- | So many bytes as an address literal: too large for a string in assembly, GHC includes a file.
blob :: Word -> Q Exp
blob size = pure (LitE (BytesPrimL (Bytes address 0 size)))
 where
  (address, _) = Bytes.toForeignPtr0 (Bytes.pack (take (fromIntegral size) (cycle [0 .. 250])))

embed :: FilePath -> Q Exp
embed path = addDependentFile path >> runIO (readFile path) >>= lift

-- | The constructors of a type and how many arguments they have; the instances it has.
shape :: Name -> [Name] -> Q Exp
shape name classes = do
  TyConI (DataD _ _ _ _ constructors _) <- reify name
  instances <- mapM (\c -> (,) (nameBase c) <$> isInstance c [ConT name]) classes
  lift (concatMap arity constructors, instances)
 where
  arity (NormalC constructor fields) = [(nameBase constructor, length fields)]
  arity (RecC constructor fields) = [(nameBase constructor, length fields)]
  arity _ = []

power :: Int -> Code Q (Integer -> Integer)
power 0 = [||const 1||]
power n = [||\x -> x * $$(power (n - 1)) x||]

-- | C code, compiled and linked with the module it is spliced into.
addTripled :: Q [Dec]
addTripled = do
  addForeignSource LangC "int menagerie_tripled(int n) { return 3 * n; }"
  integer <- [t|Int32 -> Int32|]
  pure [ForeignD (ImportF CCall Unsafe "menagerie_tripled" (mkName "tripled") integer)]

-- | By a library that the interpreter has to load.
ordered :: [(Int, String)] -> Q Exp
ordered = lift . Map.toList . Map.fromList
