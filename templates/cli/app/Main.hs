{% if executable %}
{-# LANGUAGE TemplateHaskell #-}

module Main (main) where

import {= module =}.Cli (run)
import {= module =}.Commit (commit)

-- Here, and not in a module of its own: whatever changes, this is compiled again or linked again.
main :: IO ()
main = run $(commit)
{% endif %}
