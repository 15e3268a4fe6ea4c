package main

import "syscall"

// childAttributes: a group of its own, so that Ctrl-C in a terminal reaches the children through us and
// once; and death with us, even if we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
