import Distribution.Simple (UserHooks (..), defaultMainWithHooks, simpleUserHooks)
import Distribution.Simple.BuildPaths (autogenComponentModulesDir)
import Distribution.Simple.LocalBuildInfo (withExeLBI)
import System.Directory (createDirectoryIfMissing)
import System.FilePath ((</>))
import System.Info (arch)

-- | Writes a module that tells what this program runs on.
main :: IO ()
main = defaultMainWithHooks simpleUserHooks{buildHook = \description info hooks flags -> do
  withExeLBI description info (\_ component -> press (autogenComponentModulesDir info component))
  buildHook simpleUserHooks description info hooks flags}

press :: FilePath -> IO ()
press directory = do
  createDirectoryIfMissing True directory
  writeFile (directory </> "Pressed.hs") (unlines ["module Pressed (arch) where", "arch :: String", "arch = " ++ show arch])
