{-# LANGUAGE TemplateHaskellQuotes #-}

-- | The git commit a program was built from.
module Dice.Commit (commit) where

import Control.Exception (IOException, try)
import Language.Haskell.TH (Exp, Q, litE, runIO, stringL)
import System.Exit (ExitCode (..))
import System.Process (readProcessWithExitCode)

-- | The short hash of the repository's HEAD at compile time, or @unknown@.
commit :: Q Exp
commit = do
  result <- runIO (try (readProcessWithExitCode "git" ["rev-parse", "--short=12", "HEAD"] ""))
  litE . stringL $ case result :: Either IOException (ExitCode, String, String) of
    Right (ExitSuccess, output, _) -> takeWhile (/= '\n') output
    _ -> "unknown"
