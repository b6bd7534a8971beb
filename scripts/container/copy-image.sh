# Copies this image's programs and libraries into the volume at /hsx/native; runs in the image, once.
set -eu
for dir in /bin /lib /lib64 /opt /sbin /usr; do
  [ ! -e "$dir" ] || cp -a "$dir" /hsx/native/
done
