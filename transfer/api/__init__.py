"""The API of this app: serializers turn rows into JSON, views check the permission and call one function."""
