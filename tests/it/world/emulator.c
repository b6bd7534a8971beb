// Starts QEMU as the kernel would have started it, and before that writes what is to run to /hsx/emulated/calls, where
// that file is: a line a program, with tabs between the program's path, its arguments and nothing else.
//
// The kernel opens this file when its handler is registered (flag F) and starts it in every container, where no other
// file of this machine's is. So QEMU is in it. With the flag P, it is started as "HANDLER PATH ARGV0 ARGUMENT…".
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__asm__(".section .rodata\nqemu: .incbin \"" QEMU "\"\nqemu_end:\n.previous");
extern const char qemu[], qemu_end[];

// Lines are whole, for each is one write at the file's end.
static int note(const char *path, char **arguments) {
  char line[4096];
  size_t length = 0;
  // The container that tries the results is all of the platform, and that is its purpose.
  int calls = access("/hsx/try", F_OK) == 0 ? -1 : open("/hsx/emulated/calls", O_WRONLY | O_APPEND | O_CLOEXEC);
  if (calls < 0) return 0;
  if (path[0] != '/' && getcwd(line, sizeof line / 2)) {
    length = strlen(line);
    line[length++] = '/';
  }
  for (const char *word = path; word; word = *arguments++) {
    for (; *word && length < sizeof line - 1; word++) line[length++] = *word == '\n' ? ' ' : *word;
    if (length < sizeof line - 1) line[length++] = '\t';
  }
  line[length - 1] = '\n';
  int failed = write(calls, line, length) != (ssize_t)length;
  close(calls);
  return failed;
}

static int start(int file, int argc, char **argv, char **environment) {
  // Somebody who asks for QEMU's version.
  if (argc < 3) return fexecve(file, argv, environment);
  if (note(argv[1], argv + 3)) return -1;
  char *words[argc + 2];
  words[0] = argv[0], words[1] = "-0", words[2] = argv[2], words[3] = argv[1];
  memcpy(words + 4, argv + 3, (argc - 2) * sizeof *argv);
  return fexecve(file, words, environment);
}

int main(int argc, char **argv, char **environment) {
  int file = memfd_create("qemu", MFD_CLOEXEC);
  for (const char *at = qemu; file >= 0 && at < qemu_end;) {
    ssize_t written = write(file, at, qemu_end - at);
    if (written <= 0) file = -1;
    else at += written;
  }
  if (file >= 0) start(file, argc, argv, environment);
  perror("the tests' handler for emulated programs");
  return 126;
}
