import Distribution.Pretty (prettyShow)
import Distribution.Simple (UserHooks (..), defaultMainWithHooks, simpleUserHooks)
import Distribution.Simple.BuildPaths (autogenComponentModulesDir)
import Distribution.Simple.LocalBuildInfo (LocalBuildInfo, hostPlatform, withLibLBI)
import System.Directory (createDirectoryIfMissing)
import System.FilePath ((</>))
import System.Info (arch)

main :: IO ()
main = defaultMainWithHooks simpleUserHooks{buildHook = \description info hooks flags -> do
  withLibLBI description info (\_ component -> dig info (autogenComponentModulesDir info component))
  buildHook simpleUserHooks description info hooks flags}

-- | Writes a module that tells what this program runs on, and what Cabal thinks it builds for.
dig :: LocalBuildInfo -> FilePath -> IO ()
dig info directory = do
  createDirectoryIfMissing True (directory </> "Burrow")
  writeFile (directory </> "Burrow" </> "Dug.hs") (unlines
    [ "module Burrow.Dug (setupArch, targetPlatform) where"
    , "setupArch, targetPlatform :: String"
    , "setupArch = " ++ show arch
    , "targetPlatform = " ++ show (prettyShow (hostPlatform info))
    ])
