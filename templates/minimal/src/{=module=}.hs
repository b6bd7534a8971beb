-- | What this package is about.
module {= module =} (greeting) where

-- | Greets somebody, or the world.
greeting :: String -> String
greeting "" = greeting "world"
greeting name = "Hello, " <> name <> "!"
