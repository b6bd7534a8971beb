# Receives a project's source into its volumes; runs in the builder image, without network.
# Arguments: the directories where the volumes are mounted. Standard input has, in this order:
# - the path of the marker, a file that exists only while the source is complete;
# - the content that the marker must have for the volumes to be updated, or an empty line to empty them first;
# - the paths to be removed, one a line, then an empty line;
# - a tar archive of the new files, with the marker as the last one.
# Exits with 104 where the archive is cut short, 105 where the marker is missing or has other content.
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
# tar accepts an archive that was cut short between two files.
[ -e "$marker" ] || { echo "the archive of the source is cut short"; exit 104; }
