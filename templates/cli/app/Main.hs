{% if executable %}
{-# LANGUAGE TemplateHaskell #-}

module Main (main) where

import {= module =}.Cli (run)
import {= module =}.Commit (commit)

-- Here, and not in the library: GHC looks at this module whenever anything has changed.
main :: IO ()
main = run $(commit)
{% endif %}
