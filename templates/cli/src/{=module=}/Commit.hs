{% if executable %}
{-# LANGUAGE TemplateHaskellQuotes #-}

-- | The git commit that a program is built from.
module {= module =}.Commit (commit) where

import Control.Exception (IOException, try)
import Language.Haskell.TH (Exp, Q, litE, runIO, stringL)
import Language.Haskell.TH.Syntax (addDependentFile)
import System.Exit (ExitCode (..))
import System.Process (readProcessWithExitCode)

-- | The short hash of HEAD at compile time, a @Maybe String@: @Nothing@ without git, as in a source tarball.
commit :: Q Exp
commit = do
  -- Git writes this file at every commit and checkout: when GHC runs again, it asks again.
  history <- runIO (git ["rev-parse", "--git-path", "logs/HEAD"])
  mapM_ dependOn history
  hash <- runIO (git ["rev-parse", "--short=12", "HEAD"])
  case hash of
    Just text -> [|Just $(litE (stringL text))|]
    Nothing -> [|Nothing|]

-- | A file that is not there would be out of date for ever.
dependOn :: FilePath -> Q ()
dependOn path = do
  content <- runIO (try (readFile path >>= \text -> length text `seq` pure text))
  case content :: Either IOException String of
    Right _ -> addDependentFile path
    Left _ -> pure ()

-- | The first line that git prints, if it succeeds.
git :: [String] -> IO (Maybe String)
git arguments = do
  result <- try (readProcessWithExitCode "git" arguments "")
  pure $ case result :: Either IOException (ExitCode, String, String) of
    Right (ExitSuccess, output, _) | line : _ <- lines output -> Just line
    _ -> Nothing
{% endif %}
