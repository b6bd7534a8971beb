-- | What this package is about. It knows nothing of command lines.
module {= module =} (
  Greeting (..),
  greet,
) where

import Data.Char (toUpper)

-- | How to greet.
data Greeting = Greeting
  { salutation :: String
  , loud :: Bool
  }
  deriving (Eq, Show)

-- | One line for each name.
greet :: Greeting -> [String] -> [String]
greet greeting = map (voice . line)
 where
  line name = salutation greeting <> ", " <> name <> "!"
  voice = if loud greeting then map toUpper else id
