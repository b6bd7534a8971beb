# Adds packages of the distribution to the image; runs in the builder image, with network.
# Arguments: the packages. Exits with 102 where the image has no package manager that is known here.
set -eu
exec 2>&1
if command -v apk > /dev/null; then
  apk add --no-cache "$@"
elif command -v apt-get > /dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get --quiet update
  apt-get --quiet --yes --no-install-recommends install "$@"
  rm -rf /var/lib/apt/lists/*
else
  echo "derive: the image has neither apk nor apt-get"
  exit 102
fi
