Text, and code on lines with birds' tracks, which `unlit` separates.

> module Menagerie.Literate (literate) where

It must not see what follows: # no directive.

> literate :: String
> literate = "literate"

