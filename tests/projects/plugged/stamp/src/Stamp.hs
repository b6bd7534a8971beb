-- | A GHC plugin that changes nothing: that the compiler has to load it is the point.
module Stamp (plugin) where

import GHC.Plugins

plugin :: Plugin
plugin = defaultPlugin {installCoreToDos = \_ passes -> passes <$ putMsgS "the plugin runs", pluginRecompile = purePlugin}
