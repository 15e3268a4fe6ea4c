package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const stopTimeout = 10 * time.Second

// children are the processes we started: whichever way we end, they end.
type children struct {
	dir  string
	lock *os.File
	list []*child
	died chan *child
}

type child struct {
	name     string
	cmd      *exec.Cmd
	log      string
	logStart int64         // where this run begins in the log
	ended    chan struct{} // closed when the process has
}

func (cs *children) start(name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, log: filepath.Join(cs.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if c.logStart, err = log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = cs.dir, log, log
	cmd.ExtraFiles = []*os.File{cs.lock}
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	cs.list = append(cs.list, c)
	go func() {
		_ = cmd.Wait() // failure() reads the state
		close(c.ended)
		cs.died <- c
	}()
	return c, nil
}

// stop ends the children in the reverse order of their start, each before the next. Where one has ended by
// itself there is nothing to end in order: an API server without etcd would only wait.
func (cs *children) stop() {
	signal := syscall.SIGTERM
	if slices.ContainsFunc(cs.list, (*child).hasEnded) {
		signal = syscall.SIGKILL
	}
	for _, c := range slices.Backward(cs.list) {
		_ = c.cmd.Process.Signal(signal) // fails only if it has ended
		select {
		case <-c.ended:
		case <-time.After(stopTimeout):
			_ = c.cmd.Process.Kill()
			<-c.ended
		}
	}
}

func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// failure tells how a child ended that should not have.
func (c *child) failure() error {
	return fmt.Errorf("%s ended: %s; the end of %s:\n%s", c.name, c.cmd.ProcessState, c.log, c.logTail())
}

// logTail is the end of what this run wrote to the log.
func (c *child) logTail() string {
	const most = 4096
	f, err := os.Open(c.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(c.logStart, info.Size()-most)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return err.Error()
	}
	return string(tail)
}
