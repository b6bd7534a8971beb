{% if executable %}
-- | The command line: arguments in, text out.
module {= module =}.Cli (
  Options (..),
  options,
  run,
) where

import Data.Version (showVersion)
import Options.Applicative

import {= module =} (Greeting (..), greet)

import Paths_{= name | replace("-", "_") =} (version)

-- | What the command line says.
data Options = Options
  { greeting :: Greeting
  , names :: [String]
  }
  deriving (Eq, Show)

-- | Reads the command line and does what it asks for; told the commit it was built from, if that is known.
run :: Maybe String -> IO ()
run commit = do
  chosen <- execParser (options commit)
  putStr (unlines (greet (greeting chosen) (names chosen)))

-- | The parser, with @--help@ and @--version@.
options :: Maybe String -> ParserInfo Options
options commit = info (parser <**> versionOption <**> helper) (fullDesc <> progDesc {= synopsis | quote =})
 where
  versionOption = infoOption versionLine (long "version" <> short 'V' <> help "Show name, version and commit")
  versionLine = "{= name =} " <> showVersion version <> maybe "" (\hash -> " (" <> hash <> ")") commit

parser :: Parser Options
parser = Options <$> (Greeting <$> salutationOption <*> loudSwitch) <*> (orWorld <$> many nameArgument)
 where
  salutationOption =
    strOption (long "salutation" <> short 's' <> metavar "TEXT" <> value "Hello" <> showDefault <> help "How to begin")
  loudSwitch = switch (long "loud" <> short 'l' <> help "In capital letters")
  nameArgument = strArgument (metavar "NAME..." <> help "Whom to greet (default: the world)")
  orWorld given = if null given then ["world"] else given
{% endif %}
