-- | What the three command lines share.
module Dice.Cli
  ( Options (..)
  , run
  ) where

import Dice (Term, generator, parse)
import System.Console.GetOpt
import System.Environment (getArgs, getProgName)
import System.Exit (ExitCode (..), exitWith)
import System.IO (hPutStrLn, stderr)
import System.Random.SplitMix (SMGen, newSMGen)

-- | Settings of a run.
data Options = Options
  { seeded :: Maybe String
  , times :: Int
  }

data Flag = Help | Version | Seed String | Times String

flags :: [OptDescr Flag]
flags =
  [ Option "s" ["seed"] (ReqArg Seed "TEXT") "roll the same dice whenever TEXT is the same"
  , Option "n" ["times"] (ReqArg Times "N") "how often to roll (default 1)"
  , Option "h" ["help"] (NoArg Help) "show this help"
  , Option "V" ["version"] (NoArg Version) "show name, version and commit"
  ]

-- | Parses the command line and hands over. Bad usage ends with exit code 2.
run :: String -> String -> (Options -> SMGen -> [(String, [Term])] -> IO ()) -> IO ()
run version about action = do
  name <- getProgName
  (chosen, arguments, errors) <- getOpt Permute flags <$> getArgs
  let usage = usageInfo ("Usage: " ++ name ++ " [OPTION]... DICE...\n" ++ about ++ ", for example: " ++ name ++ " 2d6+1") flags
      bad message = do
        hPutStrLn stderr (name ++ ": " ++ message ++ "\nTry '" ++ name ++ " --help'.")
        exitWith (ExitFailure 2)
      settings = foldr set (Just (Options Nothing 1)) chosen
      set (Seed text) = fmap (\options -> options {seeded = Just text})
      set (Times text) = (>>= \options -> (\n -> options {times = n}) <$> positive text)
      set _ = id
      positive text = case reads text of
        [(n, "")] | n > 0 -> Just n
        _ -> Nothing
  case () of
    _
      | not (null [() | Help <- chosen]) -> putStr usage
      | not (null [() | Version <- chosen]) -> putStrLn (name ++ " " ++ version)
      | message : _ <- errors -> bad (takeWhile (/= '\n') message)
      | null arguments -> bad "no dice given"
      | Nothing <- settings -> bad "--times takes a number above 0"
      | text : _ <- [text | text <- arguments, parse text == Nothing] -> bad ("not dice: " ++ text)
      | Just options <- settings -> do
          gen <- maybe newSMGen (pure . generator) (seeded options)
          action options gen [(text, terms) | text <- arguments, Just terms <- [parse text]]
