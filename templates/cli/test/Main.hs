module Main (main) where

import Control.Monad (unless)
{% if executable %}
import Data.List (isInfixOf, isPrefixOf)
import Options.Applicative
{% endif %}
import System.Exit (exitFailure)

import {= module =}
{% if executable %}
import {= module =}.Cli (Options (..), options)
{% endif %}

main :: IO ()
main = do
  passed <-
    sequence
      [ check "everybody is greeted" (greet plain ["Ada", "Bo"]) ["Hello, Ada!", "Hello, Bo!"]
      , check "a loud greeting is in capital letters" (greet plain {loud = True} ["Ada"]) ["HELLO, ADA!"]
      , check "nobody is greeted without names" (greet plain []) []
{% if executable %}
      , check "the world is greeted by default" (parsed []) (Just (Options plain ["world"]))
      , check "options are read" (parsed ["--loud", "-s", "Hi", "Ada"]) (Just (Options (Greeting "Hi" True) ["Ada"]))
      , check "an unknown option is refused" (parsed ["--nope"]) Nothing
      , check "name and version are told" ("{= name =} 0." `isPrefixOf` said ["--version"]) True
      , check "the commit is told" ("(c0ffee)" `isInfixOf` said ["--version"]) True
      , check "the help names the options" ("--salutation TEXT" `isInfixOf` said ["--help"]) True
{% endif %}
      ]
  unless (and passed) exitFailure

plain :: Greeting
plain = Greeting {salutation = "Hello", loud = False}
{% if executable %}

parsed :: [String] -> Maybe Options
parsed = getParseResult . execParserPure defaultPrefs (options Nothing)

-- | What is printed for arguments that end the program early.
said :: [String] -> String
said arguments = case execParserPure defaultPrefs (options (Just "c0ffee")) arguments of
  Failure failure -> fst (renderFailure failure "{= name =}")
  _ -> ""
{% endif %}

-- | Whether a result is as it should be; says so if it is not.
check :: (Eq a, Show a) => String -> a -> a -> IO Bool
check what actual expected = do
  unless (actual == expected) $
    putStrLn (what <> ": expected " <> show expected <> ", got " <> show actual)
  pure (actual == expected)
