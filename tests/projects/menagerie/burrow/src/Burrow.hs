module Burrow (setupArch, targetPlatform) where

import Burrow.Dug (setupArch, targetPlatform)
