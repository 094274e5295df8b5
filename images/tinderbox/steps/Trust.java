import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;

/** Turns a file of certificates, as pip reads it, into one that Java reads: java Trust.java FROM TO. */
class Trust {
    public static void main(String[] files) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var bundle = new FileInputStream(files[0]); var trusted = new FileOutputStream(files[1])) {
            for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(bundle)) {
                store.setCertificateEntry("certificate " + store.size(), certificate);
            }
            store.store(trusted, "changeit".toCharArray());
        }
    }
}
