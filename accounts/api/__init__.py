"""The API of this app: serializers give shape, views ask for permission and call one function."""
