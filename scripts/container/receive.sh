# Receives a project's source into its volumes; runs in the builder image, without network.
# Arguments: the directories where the volumes are. Standard input: the path of a file that says that all is there; its
# content if the volumes are as the sender believes, or nothing; what is gone, a path a line; an empty line; a tar
# archive of what is new, which ends with that file. Exits with 104 where the archive is cut short, 105 where the
# volumes are not as believed.
set -eu
IFS= read -r marker
IFS= read -r known
if [ -z "$known" ]; then
  for dir do rm -rf "${dir:?}"/* "$dir"/.[!.]* "$dir"/..?*; done
elif [ ! -e "$marker" ] || [ "$(cat "$marker")" != "$known" ]; then
  exit 105
fi
rm -f "$marker"
while IFS= read -r gone && [ -n "$gone" ]; do rm -rf "$gone"; done
tar -x -o -f - -C /
# An archive that was cut short between two files is one that tar accepts.
[ -e "$marker" ] || { echo "the archive of the source is cut short"; exit 104; }
