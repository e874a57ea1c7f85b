"""One file per kernel; the file's name is the kernel's name and the file exports `Kernel`."""
