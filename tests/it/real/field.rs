//! Projects as people keep them: old and odd layouts, and packages and settings from many places.

use std::path::Path;
use std::process::Command;

use crate::real::support::{Engine, Project, World, output};

/// Writes files of any encoding.
fn lay_out(project: &Project<'_>, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = project.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}

/// What a program prints with an empty environment.
fn said(program: &Path) -> String {
    output(Command::new(program).env_clear())
}

fn names(executables: &[serde_json::Value]) -> Vec<&str> {
    let mut names: Vec<_> = executables.iter().map(|exe| exe["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn whatever_the_layout_every_executable_is_delivered() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    lay_out(&hello, LAYOUTS);
    for main in ["flat", "tiny", "shifted", "caps", "quoted", "spread", "wordy"] {
        hello.write(&format!("old/{main}/Main.hs"), "module Main (main) where\n\nmain :: IO ()\nmain = pure ()\n");
    }
    let every = [
        "caps",
        "conditional",
        "consumer",
        "flat",
        "hello",
        "my_tool",
        "quoted-tool",
        "shifted",
        "site",
        "spread",
        "straße",
        "tiny",
        "title-pp",
        "wordy",
    ];
    let outcome = hello.hsx(&["--format", "json"]).run();
    outcome.exits(0);
    assert_eq!(names(&outcome.executables("linux/amd64")), every, "{outcome}");
    assert_eq!(outcome.json()["platforms"][0]["ghc"], "9.6.6", "{outcome}");
    assert_eq!(said(&hello.result("linux/amd64", "consumer")), "consumer 0.1 on x86_64\n");
    let site = || said(&hello.result("linux/amd64", "site"));
    assert_eq!(site(), "grüße\nindex.html 5\nstraße/grüße.txt 7\n0\n");
    hello.write("apps/site/static/index.html", "longer");
    hello.hsx(&["site"]).run().exits(0);
    assert!(site().contains("index.html 6\n"));

    let outcome = hello.hsx(&["--platform", "linux/arm64", "--format", "json", "consumer", "my_tool"]).run();
    outcome.exits(0);
    assert_eq!(names(&outcome.executables("linux/arm64")), ["consumer", "my_tool"], "{outcome}");
    assert_eq!(outcome.json()["platforms"][0]["strategy"], "cross", "{outcome}");
    assert_eq!(said(&hello.result("linux/arm64", "consumer")), "consumer 0.1 on aarch64\n");
}

/// A byte-order mark, line ends of Windows, braces in globs, packages and imports under conditions; Latin-1; all that
/// cabal has ever accepted as a layout; sublibraries, foreign libraries, executables that are not buildable, and one that
/// others are preprocessed with; a linker of the project's own; embedded files; a C library that looks up names.
const LAYOUTS: &[(&str, &[u8])] = &[
    (
        "cabal.project",
        b"\xef\xbb\xbfpackages: ./{apps,old}/*/*.cabal\r\n\t. libs/{one,two}/\r\n\r\nif impl(ghc >= 9.4)\r\n  \
            import: conf/more.config\r\nelse\r\n  packages: nowhere\r\n",
    ),
    ("conf/more.config", b"if impl(ghc < 9.4)\n  packages: nowhere\nelif os(linux)\n  packages: conditional\n"),
    (
        "conditional/conditional.cabal",
        b"cabal-version: 2.4\nname: conditional\nversion: 1\n-- M\xfcller\nexecutable conditional\n  main-is: Main.hs\n  \
            build-depends: base\n  default-language: Haskell2010\n  if os(linux)\n    ghc-options: -optl-fuse-ld=bfd\n",
    ),
    ("conditional/Main.hs", b"main :: IO ()\nmain = pure ()\n"),
    (
        "old/tiny/tiny.cabal",
        b"cabal-version: 2.4\nname: tiny\nversion: 0\nexecutable tiny { main-is: Main.hs\n  build-depends: base\n  \
            default-language: Haskell2010\n}\n",
    ),
    (
        "old/flat/flat.cabal",
        b"Name: flat\nVersion: 0.2\nBuild-Depends: base\nBuild-Type: Simple\nExecutable:     flat\nMain-is: Main.hs\n",
    ),
    (
        "old/shifted/shifted.cabal",
        b"  cabal-version: 2.4\n  name: shifted\n  version: 0.3\n\n  executable shifted\n    main-is: Main.hs\n    \
            build-depends: base\n    default-language: Haskell2010\n",
    ),
    (
        "old/caps/caps.cabal",
        b"\xef\xbb\xbfName:\tcaps\r\nVersion:\t0.4\r\nCabal-Version:\t>= 1.6\r\nBuild-Type:\tSimple\r\n\r\n\
            Executable\tcaps\r\n{\r\n\tMain-Is:\tMain.hs\r\n\tBuild-Depends:\tbase\r\n}\r\n",
    ),
    (
        "old/quoted/quoted.cabal",
        b"cabal-version: 2.4\nname: quoted\nversion: 0.5\nauthor: M\xfcller\nexecutable \"quoted-tool\"\n  \
            main-is: Main.hs\n  build-depends: base\n  default-language: Haskell2010\n",
    ),
    (
        "old/spread/spread.cabal",
        b"cabal-version: 2.4\nname:\n  spread\nversion:\n  0.6\nexecutable spread\n{\nmain-is: Main.hs\n\
            build-depends: base\ndefault-language: Haskell2010\n}\n",
    ),
    (
        "old/wordy/wordy.cabal",
        b"name: wordy\nversion: 0.7\ncabal-version: >=1.10\nbuild-type: Simple\ndescription: {\n\nSays. The\n\
            executable wordy has no flags, and\nversion: 0.8 has.\n\n}\n\nexecutable wordy\n  main-is: Main.hs\n  \
            build-depends: base\n  default-language: Haskell2010\n",
    ),
    (
        "libs/one/one.cabal",
        b"cabal-version: 3.4\nname: one\nversion: 0.1\ncommon base\n  build-depends: base\n  \
            default-language: Haskell2010\ncommon off\n  buildable: False\nlibrary\n  import: base\n  \
            exposed-modules: One\n  build-depends: one:inner\nlibrary inner\n  import: base\n  visibility: public\n  \
            hs-source-dirs: inner\n  exposed-modules: Inner\nforeign-library ffi\n  import: base\n  \
            type: native-shared\n  hs-source-dirs: ffi\n  other-modules: Export\nexecutable title-pp\n  import: base\n  \
            scope: private\n  main-is: Pp.hs\nexecutable old\n  import: base, off\n  main-is: Old.hs\n",
    ),
    ("libs/one/One.hs", b"module One (arch) where\n\nimport Inner (arch)\n"),
    ("libs/one/inner/Inner.hs", b"module Inner (arch) where\n\nimport System.Info (arch)\n"),
    ("libs/one/ffi/Export.hs", b"module Export () where\n"),
    (
        "libs/one/Pp.hs",
        b"import System.Environment (getArgs)\n\nmain :: IO ()\nmain = do\n  args <- getArgs\n  case args of\n    \
            [_, from, to] -> readFile from >>= writeFile to . unlines . map title . lines\n    _ -> fail (show args)\n  \
            where\n    title line = if line == \"  putStr TITLE\" then \"  putStr \\\"consumer \\\"\" else line\n",
    ),
    (
        "libs/two/two.cabal",
        b"cabal-version: 3.4\nname: two\nversion: 0.1\nexecutable consumer\n  main-is: Main.hs\n  \
            default-language: Haskell2010\n  build-depends: base, one:{one, inner}\n  mixins: one (One as Mixed)\n  \
            build-tool-depends: one:title-pp\n  autogen-modules: Paths_two\n  other-modules: Paths_two\n  \
            ghc-options: -F -pgmF title-pp -threaded \"-with-rtsopts=-N -A4m\"\nexecutable my_tool\n  \
            main-is: Tool.hs\n  build-depends: base\n  default-language: Haskell2010\nexecutable stra\xc3\x9fe\n  \
            main-is: Tool.hs\n  build-depends: base\n  default-language: Haskell2010\n",
    ),
    ("libs/two/Tool.hs", b"main :: IO ()\nmain = pure ()\n"),
    (
        "libs/two/Main.hs",
        b"import Data.Version (showVersion)\nimport Mixed (arch)\nimport Paths_two (version)\n\nmain :: IO ()\nmain = do\n  \
            putStr TITLE\n  putStrLn (showVersion version ++ \" on \" ++ arch)\n",
    ),
    (
        "apps/site/site.cabal",
        b"cabal-version: 2.4\nname: site\nversion: 0.1\nextra-source-files: static/**/*.html static/**/*.txt\n\
            executable site\n  main-is: Main.hs\n  other-modules: Embed\n  c-sources: cbits/lookup.c\n  \
            build-depends: base, template-haskell, directory, filepath, bytestring\n  default-language: Haskell2010\n",
    ),
    (
        "apps/site/Main.hs",
        b"{-# LANGUAGE TemplateHaskell #-}\nmodule Main (main) where\n\nimport Embed (sizes)\nimport Foreign.C\n\
            import GHC.IO.Encoding (setLocaleEncoding, utf8)\nimport System.IO (hSetEncoding, stdout)\n\n\
            foreign import ccall \"lookup\" c_lookup :: CString -> IO CInt\n\nmain :: IO ()\nmain = do\n  \
            setLocaleEncoding utf8\n  hSetEncoding stdout utf8\n  putStrLn \"gr\\252\\223e\"\n  \
            mapM_ putStrLn $(sizes \"static\")\n  withCString \"127.0.0.1\" c_lookup >>= print\n",
    ),
    (
        "apps/site/Embed.hs",
        b"{-# LANGUAGE TemplateHaskell #-}\nmodule Embed (sizes) where\n\nimport qualified Data.ByteString as B\n\
            import Language.Haskell.TH\nimport Language.Haskell.TH.Syntax (addDependentFile)\n\
            import System.Directory (doesDirectoryExist, listDirectory)\nimport System.FilePath ((</>))\n\
            import Data.List (sort)\n\nsizes :: FilePath -> Q Exp\nsizes top = do\n  names <- runIO (walk \"\")\n  \
            mapM_ (addDependentFile . (top </>)) names\n  listE [runIO (B.readFile (top </> name)) >>= \\text -> \
            stringE (name ++ ' ' : show (B.length text)) | name <- sort names]\n  where\n    walk below = do\n      \
            names <- listDirectory (top </> below)\n      concat <$> mapM (one . (below </>)) names\n    one path = do\n      \
            isDirectory <- doesDirectoryExist (top </> path)\n      if isDirectory then walk path else pure [path]\n",
    ),
    ("apps/site/static/index.html", b"12345"),
    ("apps/site/static/stra\u{df}e/gr\u{fc}\u{df}e.txt", "äöü\n".as_bytes()),
    (
        "apps/site/cbits/lookup.c",
        b"#include <netdb.h>\n#include <string.h>\nint lookup(const char *host) {\n  struct addrinfo hints, *found;\n  \
            memset(&hints, 0, sizeof hints);\n  hints.ai_flags = AI_NUMERICHOST;\n  \
            return getaddrinfo(host, \"80\", &hints, &found);\n}\n",
    ),
];

#[test]
fn archives_and_repositories_in_the_project_are_seen() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    let archive = |dir: &Path, name: &str, says: &str| {
        let source = format!("{name}-0.1");
        let work = hello.beside("work").join(&source);
        fs_err::create_dir_all(&work).unwrap();
        fs_err::create_dir_all(dir).unwrap();
        let module = name.replacen(&name[..1], &name[..1].to_uppercase(), 1);
        let cabal = format!(
            "cabal-version: 2.4\nname: {name}\nversion: 0.1\nlibrary\n  exposed-modules: {module}\n  build-depends: base\n  \
             default-language: Haskell2010\n"
        );
        fs_err::write(work.join(format!("{name}.cabal")), cabal).unwrap();
        let text = format!("module {module} where\n\n{name} :: String\n{name} = \"{says}\"\n");
        fs_err::write(work.join(format!("{module}.hs")), text).unwrap();
        let file = dir.join(format!("{source}.tar.gz"));
        output(Command::new("tar").arg("-czf").arg(file).arg("-C").arg(hello.beside("work")).arg(source));
    };
    archive(&hello.beside("vendor"), "greet", "beside");
    archive(&hello.path("vendor"), "part", "inside");
    archive(&hello.path("repo"), "colours", "repository");
    let repository = format!("repository vendored\n  url: file+noindex://{}/repo\n", hello.root().display());
    hello.write("cabal.project", &format!("packages: . ../vendor/*.tar.gz vendor/part-0.1.tar.gz\n{repository}"));
    hello.edit("hello.cabal", "base >=4.18 && <5", "base >=4.18 && <5, greet, part, colours");
    hello.write(
        "Main.hs",
        "module Main (main) where\n\nimport Colours\nimport Greet\nimport Part\n\nmain :: IO ()\n\
         main = putStrLn (unwords [greet, part, colours])\n",
    );
    hello.hsx(&[]).run().exits(0);
    assert_eq!(said(&hello.result("linux/amd64", "hello")), "beside inside repository\n");
    archive(&hello.path("vendor"), "part", "changed");
    hello.hsx(&[]).run().exits(0);
    assert_eq!(said(&hello.result("linux/amd64", "hello")), "beside changed repository\n");
}

#[test]
fn what_setups_write_splices_read_and_programs_look_up() {
    let world = World::shared();
    let hello = world.project("hello", Engine::Podman);
    hello.edit(
        "hello.cabal",
        "build-type:    Simple",
        "build-type: Custom\ndata-files: words/*.txt\n\ncustom-setup\n  setup-depends: base, Cabal\n",
    );
    hello.edit(
        "hello.cabal",
        "base >=4.18 && <5",
        "base >=4.18 && <5, template-haskell\n  autogen-modules: Paths_hello\n  other-modules: Paths_hello\n  \
         c-sources: cbits/native.c\n  include-dirs: cbits",
    );
    hello.write("cbits/native.c", "#include \"version.h\"\nint native(void) { return NATIVE; }\n");
    hello.write("words/en.txt", "apple\n");
    hello.write(
        "Setup.hs",
        "import Distribution.Simple\n\nmain :: IO ()\nmain = defaultMainWithHooks simpleUserHooks\n  \
         { confHook = \\package flags -> writeFile \"cbits/version.h\" \"#define NATIVE 7\\n\" >> confHook simpleUserHooks package \
         flags }\n",
    );
    hello.write(
        "Main.hs",
        "{-# LANGUAGE TemplateHaskell #-}\nmodule Main (main) where\n\nimport Language.Haskell.TH\n\
         import Paths_hello (getDataFileName)\nimport System.Environment (lookupEnv)\n\n\
         foreign import ccall \"native\" native :: IO Int\n\nmain :: IO ()\nmain = do\n  native >>= print\n  \
         putStrLn $(runIO (lookupEnv \"RELEASE\") >>= stringE . maybe \"unknown\" id)\n  \
         getDataFileName \"words/en.txt\" >>= readFile >>= putStr\n",
    );
    hello.hsx(&[]).run().exits(1).says("hint: the source is read-only in the container: `--writable-source`");
    for (args, release) in [
        (&["run", "--writable-source"][..], "unknown"),
        (&["run", "--writable-source", "--engine-arg=--env=RELEASE=1.0"], "1.0"),
        (&["run", "--writable-source", "--engine-arg=--env=RELEASE=2.0"], "2.0"),
    ] {
        let outcome = hello.hsx_command(args).run();
        outcome.exits(0);
        assert_eq!(outcome.stdout, format!("7\n{release}\napple\n"), "{outcome}");
    }
    assert!(!hello.path("cbits/version.h").exists());
}
