// testapi runs a real kube-apiserver and etcd on loopback, for tests and demonstrations.
//
//	testapi --dir RUNDIR [flags] [-- kube-apiserver flags]
//
// See README.md two folders up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

type options struct {
	dir              string
	binary           string
	assets           string
	readyTimeout     time.Duration
	stopOnStdinClose bool
	extra            []string
}

func main() {
	// Linux sends a child its parent-death signal when the thread that started it ends: keep that thread.
	runtime.LockOSThread()

	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		defer stop()
		if o.stopOnStdinClose {
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				stop()
			}()
		}
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testapi:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	o := options{assets: os.Getenv("KUBEBUILDER_ASSETS")}
	f := flag.NewFlagSet("testapi", flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", "", "folder of this API server: data, keys, port, logs, kubeconfig; used again, it serves the same URL and data (required)")
	f.StringVar(&o.binary, "binary", "", "path of kube-apiserver-etcd (default: beside this program; not used with KUBEBUILDER_ASSETS)")
	f.DurationVar(&o.readyTimeout, "ready-timeout", 2*time.Minute, "give up if the API server is not ready by then")
	f.BoolVar(&o.stopOnStdinClose, "stop-on-stdin-close", false, "stop when standard input ends, so that a dead parent takes everything down")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: testapi --dir RUNDIR [flags] [-- kube-apiserver flags]")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.extra = f.Args()
	if len(o.extra) > 0 && !strings.HasPrefix(o.extra[0], "-") {
		return o, fmt.Errorf("unexpected argument %q (kube-apiserver's flags go after --)", o.extra[0])
	}
	if o.dir == "" {
		return o, errors.New("--dir is required")
	}
	for _, p := range []*string{&o.dir, &o.binary, &o.assets} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = abs
	}
	if o.binary == "" {
		self, err := os.Executable()
		if err != nil {
			return o, err
		}
		o.binary = filepath.Join(filepath.Dir(self), "kube-apiserver-etcd")
	}
	return o, nil
}

// run serves until ctx ends, which is a success, or until something goes wrong.
func run(ctx context.Context, o options, out io.Writer) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	lock, err := lockDir(ctx, filepath.Join(o.dir, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	keys, err := loadOrCreateKeys(filepath.Join(o.dir, "pki"))
	if err != nil {
		return err
	}
	port, err := servingPort(filepath.Join(o.dir, "port"))
	if err != nil {
		return err
	}

	children := &children{dir: o.dir, lock: lock, died: make(chan *child, 2)}
	defer children.stop()
	var apiserver *child
	for _, p := range programs(o, port) {
		if apiserver, err = children.start(p.name, p.cmd); err != nil {
			return fmt.Errorf("%w (README.md says how to build it; --binary and KUBEBUILDER_ASSETS say where it is)", err)
		}
	}

	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	ready := make(chan error, 1)
	go func() { ready <- waitReady(ctx, url, keys, o.readyTimeout) }()
	select {
	case err = <-ready:
	case c := <-children.died:
		return c.failure()
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; the end of %s:\n%s", err, apiserver.log, apiserver.logTail())
	}

	kubeconfig := filepath.Join(o.dir, "kubeconfig")
	if err := writeFile(kubeconfig, keys.kubeconfig(url)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "ready %s %s\n", url, kubeconfig); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case c := <-children.died:
		return c.failure()
	}
}

type program struct {
	name string
	cmd  *exec.Cmd
}

// The sockets lie in the working directory of the children, which is RUNDIR.
const (
	etcdURL     = "unix://etcd.sock:0"
	etcdPeerURL = "unix://etcd-peer.sock:0"
)

// programs are what to start, in order; the API server comes last.
func programs(o options, port int) []program {
	flags := append(apiserverFlags(port), o.extra...)
	if o.assets == "" {
		c := exec.Command(o.binary, flags...)
		c.Env = append(os.Environ(), "TESTAPI_ETCD_DIR=etcd")
		return []program{{"apiserver", c}}
	}
	return []program{
		{"etcd", exec.Command(filepath.Join(o.assets, "etcd"),
			"--data-dir=etcd",
			"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
			"--listen-peer-urls="+etcdPeerURL, "--initial-advertise-peer-urls="+etcdPeerURL,
			"--initial-cluster=default="+etcdPeerURL,
			"--heartbeat-interval=20", "--election-timeout=200",
			"--unsafe-no-fsync", "--log-level=warn")},
		{"apiserver", exec.Command(filepath.Join(o.assets, "kube-apiserver"), append(flags, "--etcd-servers="+etcdURL)...)},
	}
}

func apiserverFlags(port int) []string {
	return []string{
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--advertise-address=127.0.0.1",
		"--cert-dir=pki", "--tls-cert-file=pki/apiserver.crt", "--tls-private-key-file=pki/apiserver.key",
		"--client-ca-file=pki/ca.crt", "--anonymous-auth=false", "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=pki/sa.key", "--service-account-signing-key-file=pki/sa.key",
		"--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none", "--allow-privileged=true",
		// Without this an open watch holds up the stop until the client leaves.
		"--shutdown-watch-termination-grace-period=1s",
		// Nobody makes the default service accounts here, so a Pod could never be created with it.
		"--disable-admission-plugins=ServiceAccount",
	}
}
