{% if nix %}
{
  description = "Development shell of {= name =}";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { nixpkgs, ... }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEach = shell: nixpkgs.lib.genAttrs systems (system: shell nixpkgs.legacyPackages.${system});
    in
    {
      devShells = forEach (pkgs: {
        default = pkgs.mkShell {
          packages = [
            # The one that cabal.project names. Nixpkgs keeps the last releases of a series only: for older ones,
            # name an older nixpkgs above.
            pkgs.haskell.compiler.ghc{= ghc | replace(".", "") =}
            pkgs.cabal-install
            pkgs.haskellPackages.fourmolu
            pkgs.hlint
            # What dependencies with C code ask for most.
            pkgs.pkg-config
            pkgs.zlib
          ];
        };
      });
    };
}
{% endif %}
