-- | The report of it all: on each platform the same, but for what begins with @arch@.
module Menagerie (report) where

import Data.List (intercalate)
import Data.Word (Word64)
import Numeric (showHex)
import System.Random.SplitMix (mkSMGen, nextWord64)

import qualified Burrow
import qualified Nest

import Menagerie.Foreign (foreignLines, foreignTarget)
import Menagerie.Instances (instances, instancesAreLawful)
import Menagerie.Kept (kept)
import Menagerie.Literate (literate)
import Menagerie.Numbers (fnv1a, numbers, numbersAgree)
import Menagerie.Parser (calculate)
import Menagerie.Spliced (spliced, splicedTarget)
import Menagerie.Target (agnostic, target)

report :: IO [String]
report = do
  computed <- numbers
  called <- foreignLines
  calledTarget <- foreignTarget
  embedded <- spliced
  let (seed, _) = nextWord64 (mkSMGen 42)
      common = instances ++ computed ++ called ++ embedded ++ agnostic
        ++ [literate, show (calculate "2*(3+4)*10000000000+1"), showHex (seed :: Word64) "", show (instancesAreLawful, numbersAgree)]
      architecture = target ++ calledTarget ++ splicedTarget ++
        [ "preprocessor: " ++ kept
        , "Custom setup: " ++ intercalate ", " [Burrow.setupArch, Burrow.targetPlatform]
        , "configure: " ++ show (Nest.statModeOffset, Nest.charIsSigned, Nest.elfMachine)
        ]
  pure (map ("arch " ++) architecture ++ common ++ ["hash " ++ showHex (fnv1a (unlines common)) ""])
