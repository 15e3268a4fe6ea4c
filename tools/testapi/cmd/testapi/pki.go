package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keys is what a client needs, PEM-encoded.
type keys struct {
	ca, adminCert, adminKey []byte
}

// loadOrCreateKeys reads the folder that createKeys made, and makes it the first time.
func loadOrCreateKeys(dir string) (keys, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := createKeys(dir); err != nil {
			return keys{}, err
		}
	}
	var k keys
	for name, to := range map[string]*[]byte{"ca.crt": &k.ca, "admin.crt": &k.adminCert, "admin.key": &k.adminKey} {
		pem, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return keys{}, err
		}
		*to = pem
	}
	return k, nil
}

// createKeys makes a throw-away CA, the API server's and the administrator's certificates, and the key
// that signs service account tokens. The folder appears whole or not at all.
func createKeys(dir string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".pki-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "testapi"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caKey, err := issue(tmp, "ca", ca, ca, nil)
	if err != nil {
		return err
	}
	if _, err = issue(tmp, "apiserver", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey); err != nil {
		return err
	}
	if _, err = issue(tmp, "admin", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca, caKey); err != nil {
		return err
	}
	sa, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeKey(tmp, "sa", sa); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// issue writes NAME.key and NAME.crt. Without a signer the certificate signs itself.
func issue(dir, name string, cert, parent *x509.Certificate, signer crypto.Signer) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		signer = key
	}
	cert.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	cert.NotBefore = time.Now().Add(-time.Hour)
	cert.NotAfter = cert.NotBefore.AddDate(10, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return nil, err
	}
	return key, writeKey(dir, name, key)
}

func writeKey(dir, name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key) // not PKCS #8: kube-apiserver finds no public key in that
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// tlsConfig trusts the CA and presents the administrator.
func (k keys) tlsConfig() (*tls.Config, error) {
	cert, err := tls.X509KeyPair(k.adminCert, k.adminKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(k.ca) {
		return nil, errors.New("pki/ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}, nil
}

// kubeconfig is self-contained: it may be copied anywhere.
func (k keys) kubeconfig(url string) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: testapi
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: admin
  user:
    client-certificate-data: %s
    client-key-data: %s
contexts:
- name: testapi
  context: {cluster: testapi, user: admin, namespace: default}
current-context: testapi
`, url, b64(k.ca), b64(k.adminCert), b64(k.adminKey))
}
