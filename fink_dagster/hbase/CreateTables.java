import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableExistsException;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.TableDescriptor;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.regionserver.BloomType;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Creates tables that are split from the beginning, which HBase's Thrift interface cannot.
 *
 * <p>Arguments: ZooKeeper's host:port[,host:port], and the options of every family: versions, Bloom filter, block cache.
 * Each line of the input is a table: its name, its families joined by commas, the keys it is split at in hexadecimal.
 * A table that exists is left as it is. Which tables and keys those are is said by whoever starts this.
 */
public final class CreateTables {
  private CreateTables() {}

  public static void main(String[] arguments) throws Exception {
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (Connection connection = ConnectionFactory.createConnection(configuration(arguments[0]));
        Admin admin = connection.getAdmin()) {
      // HBase needs a second and more for each, and most of it is waiting.
      List<Future<Void>> begun = new ArrayList<>();
      for (String line = input.readLine(); line != null; line = input.readLine()) {
        String[] words = line.split(" ");
        begin(admin, table(words, arguments), keys(words)).ifPresent(begun::add);
      }
      for (Future<Void> creation : begun) {
        finish(creation);
      }
    }
  }

  private static Configuration configuration(String zookeeper) {
    Configuration configuration = HBaseConfiguration.create();
    configuration.set("hbase.zookeeper.quorum", zookeeper);
    // The defaults would try for many minutes; who asked tries again by itself.
    configuration.setInt("hbase.client.retries.number", 5);
    configuration.setInt("zookeeper.recovery.retry", 1);
    return configuration;
  }

  private static TableDescriptor table(String[] words, String[] options) {
    TableDescriptorBuilder table = TableDescriptorBuilder.newBuilder(TableName.valueOf(words[0]));
    for (String family : words[1].split(",")) {
      table.setColumnFamily(
          ColumnFamilyDescriptorBuilder.newBuilder(Bytes.toBytes(family))
              .setMaxVersions(Integer.parseInt(options[1]))
              .setBloomFilterType(BloomType.valueOf(options[2]))
              .setBlockCacheEnabled(Boolean.parseBoolean(options[3]))
              .build());
    }
    return table.build();
  }

  private static byte[][] keys(String[] words) {
    List<byte[]> keys = new ArrayList<>();
    for (int place = 2; place < words.length; place++) {
      keys.add(HexFormat.of().parseHex(words[place]));
    }
    return keys.toArray(new byte[0][]);
  }

  private static Optional<Future<Void>> begin(Admin admin, TableDescriptor table, byte[][] keys) throws IOException {
    try {
      return Optional.of(admin.createTableAsync(table, keys));
    } catch (TableExistsException anotherWasFaster) {
      return Optional.empty();
    }
  }

  private static void finish(Future<Void> creation) throws Exception {
    try {
      creation.get();
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof TableExistsException)) {
        throw error;
      }
    }
  }
}
